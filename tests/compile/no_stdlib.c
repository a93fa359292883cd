/* SNN_NO_STDLIB: no malloc; everything lives in the caller's buffer, and without one it is an error
 * */
#define SNN_NO_STDIO
#define SNN_NO_STDLIB
#define SNN_IMPLEMENTATION
#include "../../snn.h"
#include "tiny.h"

int main(void)
{
    static snn_net_desc nd;
    snn_net *net = NULL;
    if (snn_net_create(&net, &nd) == SNN_OK) return 10;
    return tiny_train();
}
