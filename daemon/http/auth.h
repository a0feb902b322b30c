/* Who is signed in: by the token itself, or by a session that was got with it or with a one-time code. Any thread.
 *
 * Of sessions and codes only HMAC-SHA256(token, secret) is held and kept (STATE/web-sessions): who reads that file gets in nowhere, who
 * writes to it neither, and another token ends all of them. All comparisons take the same time whatever was guessed. */
#ifndef EARSHOT_HTTP_AUTH_H
#define EARSHOT_HTTP_AUTH_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_SECRET    44       /* a session's or a code's text and its NUL: 32 bytes, base64url */
#define AUTH_SESSIONS  64       /* beyond it the oldest ends */
#define AUTH_SESSION_S 31536000 /* a year since it was used: a tablet on the wall stays signed in */
#define AUTH_RENEW_S   2592000  /* a session is prolonged after a month */
#define AUTH_CODE_S    600
#define AUTH_FAILURES  10 /* wrong attempts from one address within AUTH_PAUSE_S: no more for now */
#define AUTH_PAUSE_S   60

struct auth;

/* token: NULL for none, then everybody is signed in. state_dir: "" without one; then a restart ends the sessions. NULL: no memory. */
struct auth *auth_new(const char *token, const char *state_dir, struct err *err);
void auth_free(struct auth *a);

bool auth_needed(const struct auth *a);

/* peer: 16 bytes of the client's address. AUTH_PAUSED: too many wrong attempts from there; nothing was looked at. */
enum auth_result { AUTH_OK, AUTH_WRONG, AUTH_PAUSED };
enum auth_result auth_token(struct auth *a, const uint8_t peer[16], const char *token);
enum auth_result auth_code(struct auth *a, const uint8_t peer[16], const char *code); /* valid once */
bool auth_session(struct auth *a, const char *session);

/* A new session or code. -1: no memory of the kind, no random numbers. */
int auth_begin_session(struct auth *a, char out[AUTH_SECRET]);
int auth_make_code(struct auth *a, char out[AUTH_SECRET]);
/* Prolongs a session that is valid and was begun or prolonged a month ago. true: it was, and its cookie is to be set anew. */
bool auth_renew_session(struct auth *a, const char *session);
void auth_end_session(struct auth *a, const char *session);

#endif
