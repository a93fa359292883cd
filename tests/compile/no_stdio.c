/* SNN_NO_STDIO: no files, models go through memory. stdio.h must not come in by the back door. */
#define SNN_NO_STDIO
#define SNN_IMPLEMENTATION
#include "../../snn.h"
#include "tiny.h"
#if defined(_STDIO_H) || defined(_STDIO_H_)
    #error "SNN_NO_STDIO includes stdio.h"
#endif

int main(void)
{
    static unsigned char model[4096];
    static snn_net_desc nd;
    static snn_linear_desc fc;
    snn_net *net = NULL, *copy = NULL;
    size_t size;
    int status = tiny_train();
    if (status != 0) return status;
    fc.out_features = 3;
    if (snn_net_create(&net, &nd) != SNN_OK) return 10;
    snn_linear(net, snn_input(net, 2, 0, 0), &fc);
    if (snn_net_build(net) != SNN_OK) return 11;
    size = snn_net_save_to(net, model, sizeof model);
    if (size == 0 || size > sizeof model || size != snn_net_save_size(net)) return 12;
    if (snn_net_open_from(&copy, &nd, model, size, NULL) != SNN_OK) return 13;
    if (snn_net_param(copy, 0)->value.data[0] != snn_net_param(net, 0)->value.data[0]) return 14;
    snn_net_destroy(copy);
    snn_net_destroy(net);
    return 0;
}
