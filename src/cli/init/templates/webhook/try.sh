#!/bin/sh
# Sends a webhook as GitHub would: SECRET=… sh try.sh
body='{"repository":{"full_name":"ada/engine"}}'
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')
curl -i http://127.0.0.1:8080/github -H 'content-type: application/json' \
    -H 'x-github-event: push' -H "x-hub-signature-256: sha256=$signature" -d "$body"
