/* the implementation alone, for the programs that only declare */
#define SNN_IMPLEMENTATION
#include "../../snn.h"
