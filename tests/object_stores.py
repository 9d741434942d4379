"""Real servers of object stores, and a proxy that spoils what they say."""

# moto takes any credentials.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "someone",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_REGION": "us-east-1",
}
