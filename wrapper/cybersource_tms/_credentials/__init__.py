"""What a merchant holds, and what is done with it: requests are signed and encrypted, responses are decrypted."""
