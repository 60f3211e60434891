// node-addon-api, whose switches leave out enumerators of newer versions of Node-API.
#pragma once
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
#include <napi.h>
#pragma GCC diagnostic pop
