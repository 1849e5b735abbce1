// Which kernel is compiled: the right one, or one of the wrong ones.
//
// A wrong kernel is the same source compiled with one of these switches and a namespace of its own (the Makefile sets both):
//
//	-DMISTAKE_LAYOUT_SWAPPED       R01  rotary pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse
//	-DMISTAKE_POSITION_OFF_BY_ONE  R19  positions are one too large
//	-DMISTAKE_TEMPERATURE_MISSING  R08  the softmax scale lacks YaRN's temperature, DeepSeek-V3's (0.1 ln 40 + 1)²
//	-DMISTAKE_SCALE_OF_LATENT      M01  the softmax scale is 1/√(latent width + rope width)
//	-DMISTAKE_CAUSAL_TOP_LEFT      A01  the causal mask is aligned to the first key
//	-DMISTAKE_DROP_LAST_KEY             the last key of a sequence is not seen
//	-DMISTAKE_PAGE_END             A17  keys up to the end of the page are seen
//	-DMISTAKE_FIXED_MAXIMUM        A05  10 is subtracted in the exponent instead of the row's maximum
//	-DMISTAKE_HEADS_TILED          A13  query head h reads key head h mod G
//	-DMISTAKE_MERGE_BASE           A08  log-sum-exps to base 2 are merged as natural ones, or the reverse
//
// and of the objectives:
//
//	-DMISTAKE_AGGREGATION_SWAPPED           L01  tokens are averaged by sequence for over the batch, or the reverse; sums become means
//	-DMISTAKE_MICRO_BATCH_MEAN              L02  means are taken over either half of the batch, and then of both
//	-DMISTAKE_GROUP_OVER_BATCH              L04  rewards are compared with those of the whole batch
//	-DMISTAKE_STD_DDOF                      L05  a sample's standard deviation is taken for a population's, or the reverse
//	-DMISTAKE_EPS_INSIDE_ROOT               L06  eps is added to the variance
//	-DMISTAKE_K3_UPSIDE_DOWN                L08  k3 has the ratio the other way round
//	-DMISTAKE_KL_SIGN                       L11  the divergence has the other sign
//	-DMISTAKE_LOG_RATIO_UNLIMITED           L13  the limit of log-ratios is not heeded
//	-DMISTAKE_SAMPLING_TEMPERATURE_MISSING  L15  logits are not divided by the temperature
//	-DMISTAKE_MASK_SHIFTED                  L17  the mask is read one token ahead
//	-DMISTAKE_GAE_THROUGH_MASKED            L22  advantages run through masked tokens up to the last that counts
//	-DMISTAKE_WHITEN_OVER_PADDING           L23  the statistics of whitening include what the mask leaves out, as zeros
//	-DMISTAKE_VALUE_GRADIENT_CUT            L24  the gradient of a value outside its clip is 0 whichever error is the larger
//	-DMISTAKE_DUAL_CLIP_FOR_POSITIVE        L25  the dual clip bounds positive advantages too
//	-DMISTAKE_DUAL_CLIP_BY_DEFAULT          L26  a dual clip of 3 where none is asked for
//	-DMISTAKE_MIN_MAX_EXCHANGED             L27  the smaller of the plain and the clipped loss
//	-DMISTAKE_SEQUENCE_GRADIENT_UNDIVIDED   L28  each token gets the whole gradient of its sequence's ratio
//	-DMISTAKE_LENGTHS_MISTAKEN              L31  preferences are averaged over tokens where sums are asked for, or the reverse
//	-DMISTAKE_SMOOTHING_UNPAIRED            L34  the smoothed share of a label goes to the same order
//
// The numbers are those of the project's bank of mistakes. Each switch is read at one place, found by its name.
#pragma once

#ifndef VARIANT
#define VARIANT right
#endif
