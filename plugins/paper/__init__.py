"""The paper broker: accounts that trade against prices, with money that does not exist."""
