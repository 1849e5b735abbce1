// The worker that runs the engine: what stands in the page stays alive while it judges. Go's
// wasm_exec.js stands before this text. A message is {id, call, args}, an answer {id, value} or
// {id, error}; the first message is {wasm}, the compressed program.
"use strict";

const engine = new Promise((ready) => {
  self.plumblineReady = () => ready(self.plumbline);
});

async function start(packed) {
  const unpacked = new Response(packed).body.pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(unpacked).arrayBuffer();
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(bytes, go.importObject);
  go.run(instance); // until the program ends, which it does when it has no memory left
  postMessage({ id: 0, value: (await engine).version });
}

async function answer({ id, call, args }) {
  try {
    const value = (await engine)[call](...args);
    postMessage(value?.error !== undefined ? { id, error: value.error } : { id, value });
  } catch (fault) {
    postMessage({ id, error: String(fault) });
  }
}

self.onmessage = ({ data }) => {
  if (!data.wasm) return answer(data);
  return start(data.wasm).catch((fault) => postMessage({ id: 0, error: String(fault) }));
};
