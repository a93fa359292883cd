/* tiny.h - the small job of every program in this folder: build a net inside a fixed buffer, train
 * it, and be content when the loss falls. Includes nothing: each program includes snn.h in its own
 * way. */
#ifndef TINY_H
#define TINY_H

static int tiny_train(void)
{
    static unsigned char memory[1 << 16];
    static snn_net_desc nd; /* static: all zero in C and in C++ */
    static snn_linear_desc fc1, fc2;
    static snn_leaky_desc lif;
    static snn_optim_desc adam;
    static snn_loss_desc loss;
    static const float x[2 * 4] = { 1, 0, 1, 0, 0, 1, 0, 1 };
    static const int y[2] = { 0, 1 };
    snn_net *net = NULL;
    float first = 0, last = 0;
    int k, node;
    nd.batch = 2;
    nd.steps = 5;
    nd.max_layers = 8; /* a small net wants a small table */
    fc1.out_features = 8;
    fc2.out_features = 2;
    lif.beta = 0.9f;
    adam.lr = 0.02f;
    loss.kind = SNN_LOSS_CE_MEMBRANE;
    if (snn_version() != SNN_VERSION) return 1;
    if (snn_net_create_in(&net, &nd, memory, sizeof memory) != SNN_OK) return 2;
    node = snn_linear(net, snn_input(net, 4, 0, 0), &fc1);
    node = snn_linear(net, snn_leaky(net, node, &lif), &fc2);
    snn_leaky(net, node, &lif);
    if (snn_net_memory(net) > sizeof memory || snn_net_build(net) != SNN_OK) return 3;
    for (k = 0; k < 20; k++) {
        last = snn_train_step(net, &adam, &loss, x, y);
        if (k == 0) first = last;
    }
    snn_net_destroy(net);
    return first > 0 && last >= 0 && last < 0.7f * first ? 0 : 4;
}

#endif
