// The worker that runs the engine: what stands in the page stays alive while it judges. Go's
// wasm_exec.js stands before this text. A message is {id, call, args}, an answer {id, value} or
// {id, error}; the first message is {wasm}, the compressed program, and what has no call has id 0.
"use strict";

const engine = new Promise((ready) => {
  self.plumblineReady = () => ready(self.plumbline);
});

const ended = "the engine has ended, as it does where its memory ends; plumbline verify takes larger recordings";

async function start(packed) {
  const unpacked = new Response(packed).body.pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(unpacked).arrayBuffer();
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(bytes, go.importObject);
  go.run(instance).then(() => postMessage({ id: 0, ended }));
  postMessage({ id: 0, value: (await engine).version });
}

async function answer({ id, call, args }) {
  try {
    const value = (await engine)[call](...args);
    const error = value === undefined ? ended : value.error; // a program that has ended returns nothing
    postMessage(error === undefined ? { id, value } : { id, error });
  } catch (fault) {
    postMessage({ id, error: String(fault) });
  }
}

self.onmessage = ({ data }) => {
  if (!data.wasm) return answer(data);
  return start(data.wasm).catch((fault) => postMessage({ id: 0, error: String(fault) }));
};
