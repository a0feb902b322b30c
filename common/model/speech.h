/* Which labels mean that people are talking: what clips are kept private by. */
#ifndef EARSHOT_SPEECH_H
#define EARSHOT_SPEECH_H

#include <stdbool.h>

/* Speech itself. A model without any of these cannot tell whether somebody talks. */
bool label_is_speech(const char *label);

/* Speech, and what rarely comes without words or is easily taken for them: laughter, children playing, crowds, singing, television.
 * Not a crying baby, a cough or a scream: these are sounds that people want to be told of and kept. */
bool label_is_private(const char *label);

#endif
