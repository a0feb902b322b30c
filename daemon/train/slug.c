#include "daemon/train/slug.h"

#include "model/vocabulary.h"

#include <string.h>

/* U+00C0 to U+00FF in UTF-8: C3 80 to C3 BF. */
static const char *const plain[64] = {"A", "A", "A",  "A", "Ae", "A",  "Ae", "C", "E",  "E",  "E",  "E", "I",
                                      "I", "I", "I",  "D", "N",  "O",  "O",  "O", "O",  "Oe", " ",  "O", "U",
                                      "U", "U", "Ue", "Y", "Th", "ss", "a",  "a", "a",  "a",  "ae", "a", "ae",
                                      "c", "e", "e",  "e", "e",  "i",  "i",  "i", "i",  "d",  "n",  "o", "o",
                                      "o", "o", "oe", " ", "o",  "u",  "u",  "u", "ue", "y",  "th", "y"};

void train_slug(const char *name, char out[LABEL_SIZE])
{
    char text[4 * LABEL_SIZE];
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p && n + 3 < sizeof text; p++) {
        if (p[0] == 0xc3 && p[1] >= 0x80 && p[1] <= 0xbf) {
            const char *as = plain[*++p - 0x80];
            memcpy(text + n, as, strlen(as));
            n += strlen(as);
        } else {
            text[n++] = (char)*p;
        }
    }
    text[n] = '\0';
    vocabulary_slugify(text, out);
}
