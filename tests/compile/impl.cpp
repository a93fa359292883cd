/* the implementation alone, as C++, for C and C++ callers */
#define SNN_IMPLEMENTATION
#include "../../snn.h"
