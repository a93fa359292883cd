/* included five times, before and after the implementation */
#include "../../snn.h"
#include "../../snn.h"
#define SNN_IMPLEMENTATION
#include "../../snn.h"
#include "../../snn.h"
#undef SNN_IMPLEMENTATION
#include "../../snn.h"
#include "tiny.h"

int main(void)
{
    return tiny_train();
}
