"""Intelligence: models, suggestions and sentiment, each with the evidence that it rests on."""
