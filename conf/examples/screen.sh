#!/bin/sh
# screen.sh - shows what was heard (apt install libnotify-bin)
exec notify-send --app-name=earshot --urgency=critical "$EARSHOT_LABEL" "at $EARSHOT_TIME, score $EARSHOT_SCORE"
