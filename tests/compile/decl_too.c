/* a second translation unit that shares the implementation with decl.c */
#include "../../snn.h"
#include "tiny.h"

#ifdef __cplusplus
extern "C"
#endif
int decl_too(void);

int decl_too(void)
{
    return tiny_train();
}
