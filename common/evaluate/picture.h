/* Pictures of an evaluation of clips, as SVG 1.1 that needs no other file. */
#ifndef EARSHOT_EVALUATE_PICTURE_H
#define EARSHOT_EVALUATE_PICTURE_H

#include "evaluate/confusion.h"
#include "evaluate/reliability.h"
#include <stdio.h>

/* A row for each label, a column for each that was heard; the colour is the share of the row's clips, the number how many. What is
 * right is blue, what is wrong is red. title: any bytes. */
void picture_confusion(FILE *out, const struct confusion *c, const char *title);

/* Above, the share that is right over the score, against the diagonal; below, how many clips have such scores. */
void picture_reliability(FILE *out, const struct reliability *c, const char *title);

/* Text for the inside of an element: &, <, > and quotes as entities, control characters and what is no ASCII as '?'. */
void picture_text(FILE *out, const char *text);

#endif
