// Package mtp holds the prediction of more than one token: DeepSeek-V3's modules in sequence, their
// losses, and what they are for when text is written, speculative decoding.
package mtp
