/* What the server serves: every file of routes, schemas and modules, a line each. */
#include "daemon/http/internal.h"

extern const struct route routes_core[];
extern const struct route routes_session[];

const struct route *const route_tables[] = {routes_core, routes_session, NULL};

const struct web_schema *const schema_tables[] = {NULL};

const struct web_module *const web_modules[] = {NULL};
