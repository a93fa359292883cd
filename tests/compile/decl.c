/* declarations only; the implementation is in impl.c or impl.cpp, a second user in decl_too.c */
#include "../../snn.h"
#include "tiny.h"

#ifdef __cplusplus
extern "C"
#endif
int decl_too(void);

int main(void)
{
    int status = tiny_train();
    return status != 0 ? status : decl_too();
}
