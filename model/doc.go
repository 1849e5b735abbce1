// Package model holds a whole model of the family, DeepSeek-V3 and R1: embedding, layers of latent
// attention and of dense networks or experts, head, the modules that predict further tokens, what
// all of it is trained by, and every gradient. It is the other packages put together, and has few
// formulas of its own.
//
// # Reading order
//
// Config and Weights say what there is, Block.Forward what one layer does, Forward what all do;
// Block.Backward and Backward are their gradients, Loss and LossBackward what training begins with.
// Load takes weights from a checkpoint in the names of Hugging Face's code, which are those of
// DeepSeek's, and ParseConfig the configuration from its config.json. The example shows every
// tensor of a model of width 4.
//
// # Counting
//
// Sizes is what a model is counted by, whether it can be run here or not: DeepSeek-V2 to V4, and
// through ParseSizes others of grouped-query attention. Parameters is a tree that sums up, Cache
// the bytes that are kept of a sequence, Work the products of attention, CrossOver where both forms
// of MLA cost the same. Bubble1F1B and its like, and Replicate, Pack and GPULoads are of the
// framework that trains and serves DeepSeek-V3. docs/COUNT.md has the numbers.
//
// # What code does beside the papers
//
// A model that is built from the papers alone is none of the released ones:
//
//   - latents are normed (see package mla), with ε = 1e-6 of their own in Hugging Face's code, not
//     rms_norm_eps;
//   - pairs of the rotation are read interleaved and written by halves (rope.InterleavedToHalf),
//     which no score sees;
//   - with YaRN scores are multiplied by mscale(s, mscale_all_dim)², and cosines and sines by a
//     quotient that is 1;
//   - the routed sum has a factor, 2.5, and its weights a sum with 1e-20 added;
//   - the first module is given RMSNorm(h) of the last layer, and takes the embedding first; before
//     the shared head it has a norm of its own (see package mtp).
//
// In Hugging Face's code norms, softmax, rotation and gate are in float32 whatever the type of the
// model; nothing here is rounded. A gate's choice has no gradient, and its bias is not learnt by
// descent but moved by moe.BiasSign.
package model
