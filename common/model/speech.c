#include "model/speech.h"

#include <stddef.h>
#include <string.h>

static bool among(const char *const *list, size_t n, const char *label)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], label) == 0)
            return true;
    return false;
}

/* AudioSet's names for the same stand beside ours. */
bool label_is_speech(const char *label)
{
    static const char *const list[] = {
        "speech",
        "male_speech_man_speaking",
        "female_speech_woman_speaking",
        "child_speech_kid_speaking",
        "conversation",
        "narration_monologue",
        "speech_synthesizer",
        "shout",
        "yell",
        "bellow",
        "whispering",
        "children_shouting",
    };
    return among(list, sizeof list / sizeof *list, label);
}

bool label_is_private(const char *label)
{
    static const char *const list[] = {
        "laughing",      "laughter",    "baby_laughter",   "giggle",
        "snicker",       "belly_laugh", "chuckle_chortle", "children_playing",
        "babbling",      "crowd",       "chatter",         "hubbub_speech_noise_speech_babble",
        "cheering",      "whoop",       "singing",         "choir",
        "chant",         "vocal_music", "male_singing",    "female_singing",
        "child_singing", "rapping",     "a_capella",       "television",
        "radio",
    };
    return label_is_speech(label) || among(list, sizeof list / sizeof *list, label);
}
