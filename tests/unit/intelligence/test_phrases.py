"""What phrases of finance say, in the shipped weights."""

from __future__ import annotations

import pytest

from adapters.sentiment.built_in import BuiltInSentiment

ENGINE = BuiltInSentiment()

GOOD = """
losses narrowed
net loss narrows in the second quarter
loss shrinks to $3 million from $9 million
net profit rises 20%
profit jumps on strong demand
sales beat estimates
earnings top expectations
costs fall
operating expenses decreased
debt reduced
company cuts debt
unemployment falls
jobless claims drop
inflation eases
fears ease
worries fade
raises dividend
raises full-year guidance
price target raised
upgraded to buy
upgraded to overweight
did not miss estimates
profit did not fall
did not miss its forecast
record revenue
wins large order
shares surge 10%
stock rallies to record high
back in profit
swings to profit from a loss
profit compared with a loss a year earlier
margins improve
bullish on the stock
strong quarter, robust outlook
lawsuit dismissed, shares jump
revenue up 12%
net sales rose to EUR 54 mn from EUR 43 mn
deficit narrows
credit losses decline
demand recovers
stock shrugs off the slump
"""
BAD = """
profit fell
net profit down 14%
losses widen
net loss widens in the second quarter
debt rises
costs soar
unemployment rises
jobless claims jump
fears grow
inflation rises
misses estimates
earnings miss expectations
fails to beat estimates
not profitable
no longer profitable
cuts dividend
cuts full-year guidance
lowers forecast
price target lowered
downgraded to sell
downgraded to underperform
shares plunge 10%
stock tumbles to record low
files for bankruptcy
fraud probe
regulator fines bank
swings to loss from a profit
margins shrink
bearish on the stock
weak demand hurts sales
revenue down 12%
net sales fell to EUR 43 mn from EUR 54 mn
deficit widens
defaults rise
layoffs announced as orders slump
warns on profit
suspends dividend
sales did not grow
not a good quarter
demand did not improve
shares pare gains
index erases its gains
"""


@pytest.mark.parametrize("text", GOOD.strip().splitlines())
def test_good_news(text: str) -> None:
    (said,) = ENGINE.score([text])
    assert said.score > 0, said


@pytest.mark.parametrize("text", BAD.strip().splitlines())
def test_bad_news(text: str) -> None:
    (said,) = ENGINE.score([text])
    assert said.score < 0, said


@pytest.mark.parametrize(
    "text",
    ["Board meets on Tuesday", "Company appoints new chief financial officer", "XYZ to hold annual general meeting"],
)
def test_no_news(text: str) -> None:
    (said,) = ENGINE.score([text])
    assert said.label == "neutral"


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("profit did not rise", "profit rises"),
        ("results were not strong", "results were strong"),
        ("shares rise slightly", "shares rise sharply"),
        ("shares fall sharply", "shares fall slightly"),
        ("not profitable", "profitable"),
        ("debt rises", "debt falls"),
        ("losses widen", "losses narrow"),
        ("unemployment rises", "unemployment falls"),
        ("net sales were EUR 3.2 mn compared with EUR 4.2 mn", "net sales were EUR 4.2 mn compared with EUR 3.2 mn"),
        ("sales of $900 million vs. $1.2 billion", "sales of $1.2 billion vs. $900 million"),
    ],
)
def test_the_first_is_worse_than_the_second(less: str, more: str) -> None:
    one, other = ENGINE.score([less, more])
    assert one.score < other.score


@pytest.mark.parametrize(
    ("text", "word", "sign"),
    [
        ("Infosys shares plunge after Tuesday's meeting", "plunge", -1),
        ("Board says quarterly Profit surges", "surges", 1),
        ("BANKRUPTCY of a supplier", "BANKRUPTCY", -1),
    ],
)
def test_the_words_that_decided_stand_as_in_the_text(text: str, word: str, sign: int) -> None:
    (said,) = ENGINE.score([text])
    weights = dict(said.words)
    assert weights[word] * sign > 0
    assert [abs(weight) for _, weight in said.words] == sorted((abs(w) for _, w in said.words), reverse=True)
    assert all(found in text for found in weights)


def test_a_company_has_no_polarity() -> None:
    alone = ENGINE.score(["Zyxcorp", "Qwertia", "@somebody", "https://example.com/profit"])
    assert len({(said.score, said.words) for said in alone}) == 1
