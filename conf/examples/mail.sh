#!/bin/sh
# mail.sh TO - an e-mail for an event, by msmtp: sudo install -D mail.sh /usr/local/lib/earshot/mail.sh. /etc/msmtprc holds the account; the
# service's user must be able to read it (group earshot, mode 640).
set -eu
{
    printf 'To: %s\nSubject: earshot: %s at %s\nContent-Type: text/plain; charset=utf-8\n\n' "$1" "$EARSHOT_LABEL" "$EARSHOT_TIME"
    printf '%s heard by %s at %s, score %s, %s dBFS\n\n' "$EARSHOT_LABEL" "$EARSHOT_NODE" "$EARSHOT_START" "$EARSHOT_SCORE" "$EARSHOT_RMS_DBFS"
    cat # the event as JSON
} | msmtp --read-recipients --timeout=40
