/* The API's description, made of the route table. */
#ifndef EARSHOT_HTTP_OPENAPI_H
#define EARSHOT_HTTP_OPENAPI_H

#include "daemon/http/web.h"

/* OpenAPI 3.1. `token`: does one have to sign in? -1: err names the route or schema whose text is no JSON. The caller's. */
json_t *openapi_make(const struct route *const *routes, const struct web_schema *const *schemas, bool token,
                     struct err *err);

#endif
