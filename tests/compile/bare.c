/* every switch at once, one private copy: the smallest build */
#define SNN_NO_STDIO
#define SNN_NO_STDLIB
#define SNN_NO_SIMD
#define SNN_STATIC
#include "../../snn.h"
#include "tiny.h"
#if (defined(_STDLIB_H) || defined(_STDLIB_H_)) && !defined(__cplusplus) /* C++'s math.h wants it */
    #error "SNN_NO_STDLIB includes stdlib.h"
#endif

int main(void)
{
    return tiny_train();
}
