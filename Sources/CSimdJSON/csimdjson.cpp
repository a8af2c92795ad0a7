#include "csimdjson.h"
#include <simdjson.h>
extern "C" int csimdjson_placeholder(void) { return 0; }
