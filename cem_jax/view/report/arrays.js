// Arrays that pack.py wrote: base64 of compressed little-endian bytes.
const TYPES = {
  uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array,
};

async function unpackArray({ dtype, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new TYPES[dtype](await new Response(stream).arrayBuffer());
}

async function unpack(value) {
  if (value === null || typeof value !== "object") return value;
  if ("dtype" in value) return unpackArray(value);
  if (Array.isArray(value)) return Promise.all(value.map(unpack));
  const entries = Object.entries(value).map(async ([key, part]) => [key, await unpack(part)]);
  return Object.fromEntries(await Promise.all(entries));
}

const running = (counts) => {
  const starts = new Int32Array(counts.length + 1);
  counts.forEach((count, i) => { starts[i + 1] = starts[i] + count; });
  return starts;
};

// A scene with its arrays, its input as an image, and what many parts of the page ask for.
async function readScene(source) {
  const scene = await unpack(JSON.parse(source.textContent));
  scene.image = new Image();
  scene.image.src = inputs[source.dataset.input].picture;
  await scene.image.decode();
  scene.size = scene.rows * scene.columns;
  let largest = 0, strongest = 0;
  for (const map of scene.maps) {
    map.starts = running(map.drawn);
    if (map.behind) {
      map.behind.place = new Map(Array.from(map.behind.cells, (cell, i) => [cell, i]));
    }
    map.effect.forEach((effect, cell) => {
      if (Math.abs(effect) > largest) [largest, strongest] = [Math.abs(effect), cell];
    });
  }
  scene.strongest = strongest;
  scene.largest = Math.max(largest, ...scene.maps.map((map) => map.tolerance)) || 1;
  const whole = { top: 0, left: 0, high: scene.height / scene.block, wide: scene.width / scene.block };
  scene.views = { whole, near: nearView(scene, whole) };
  return scene;
}

// The part of the grid that holds the region and all blocks with draws, and one block around.
function nearView(scene, whole) {
  let top = scene.rows, left = scene.columns, bottom = 0, right = 0;
  for (let cell = 0; cell < scene.size; cell++) {
    if (!scene.inside[cell] && !scene.maps.some((map) => map.drawn[cell])) continue;
    const [row, column] = placeOf(cell, scene);
    [top, left] = [Math.min(top, row), Math.min(left, column)];
    [bottom, right] = [Math.max(bottom, row + 1), Math.max(right, column + 1)];
  }
  [top, left] = [Math.max(top - 1, 0), Math.max(left - 1, 0)];
  [bottom, right] = [Math.min(bottom + 1, whole.high), Math.min(right + 1, whole.wide)];
  return { top, left, high: bottom - top, wide: right - left };
}

// How far the outcome fell with each draw of a block.
function changesOf(map, cell) {
  const shares = map.changes.subarray(map.starts[cell], map.starts[cell + 1]);
  return Array.from(shares, (share) => share * map.changeUnit[cell]);
}
