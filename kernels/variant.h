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
// The numbers are those of the project's bank of mistakes. Each switch is read at one place, found by its name.
#pragma once

#ifndef VARIANT
#define VARIANT right
#endif
