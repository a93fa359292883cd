/* every switch at once, one private copy: the smallest build */
#define SNN_NO_STDIO
#define SNN_NO_STDLIB
#define SNN_NO_SIMD
#define SNN_STATIC
#include "../../snn.h"
#include "tiny.h"

int main(void)
{
    return tiny_train();
}
