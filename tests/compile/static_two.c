/* the other copy of static_one.c */
#define SNN_STATIC
#include "../../snn.h"
#include "tiny.h"

#ifdef __cplusplus
extern "C"
#endif
int static_two(void);

int static_two(void)
{
    return tiny_train();
}
