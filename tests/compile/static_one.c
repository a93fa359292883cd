/* SNN_STATIC: a private copy in each of two translation units, linked with static_two.c */
#define SNN_STATIC
#include "../../snn.h"
#include "tiny.h"

#ifdef __cplusplus
extern "C"
#endif
int static_two(void);

int main(void)
{
    int status = tiny_train();
    return status != 0 ? status : static_two();
}
