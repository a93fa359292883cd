/* SNN_NO_SIMD: plain C kernels only */
#define SNN_NO_SIMD
#define SNN_IMPLEMENTATION
#include "../../snn.h"
#include "tiny.h"

int main(void)
{
    return snn_isa_best() == SNN_ISA_SCALAR ? tiny_train() : 10;
}
