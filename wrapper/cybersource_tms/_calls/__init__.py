"""What a call sends and what it means: settings, requests, records, responses, retries. Pure: no transport."""
