/* The command line of earshot train. */
#ifndef EARSHOT_TRAIN_ASKED_H
#define EARSHOT_TRAIN_ASKED_H

#include "daemon/train/train.h"

enum { TRAIN_PATH = 4096 };

/* What the command line may leave open: filled in when the kind is known. */
struct train_asked {
    struct train train;
    const char *model, *layers, *cache;
    bool dropout, epochs, batch, rate, decay, patience, window, preset;
    char model_path[TRAIN_PATH], cache_path[TRAIN_PATH];
};

/* Takes the arguments, in front of which r holds what goes where nothing is said. Returns an exit code, errors printed. */
int train_asked_read(struct train_asked *r, int argc, char **argv);

/* What was left open of the net, for its kind. */
void train_asked_fill(struct train_asked *r);

#endif
