// The page of a report: its scenes, one of them shown.
const sources = document.querySelectorAll("script.scene");
const inputs = Array.from(document.querySelectorAll("script.input"),
  (source) => JSON.parse(source.textContent));
const read = new Map();
let asked = 0;
let waiting = 0;

// Browsers take few changes of the address in a second.
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(writeAddress, 300);
}

async function show(index, told = null) {
  asked = index;
  const source = sources[index];
  if (!read.has(index)) {
    read.set(index, readScene(JSON.parse(source.textContent), inputs[source.dataset.input].picture));
  }
  const next = await read.get(index);
  await addInside(next, document.querySelector(`script.inside[data-scene="${index}"]`));
  if (asked !== index) return; // another scene was chosen meanwhile
  shownScene = index;
  display(next);
  for (const button of byId("scenes").children) {
    button.setAttribute("aria-pressed", String(Number(button.value) === index));
  }
  if (told) followAddress(told);
  changed = soon;
}

if (typeof DecompressionStream === "undefined") {
  byId("problem").hidden = false;
  byId("problem").textContent = "This browser is too old to show the maps; the table has their numbers.";
} else {
  document.querySelector("main").hidden = false;
  if (sources.length > 1) {
    if (sources.length > 8) byId("scenes").className = "many";
    byId("scenes").replaceChildren(...Array.from(sources, (source, i) => {
      const { name, input } = source.dataset;
      const button = element("button", { type: "button", value: i },
        element("img", { src: inputs[input].small, alt: "" }), element("span", {}, name));
      button.addEventListener("click", () => show(i));
      return button;
    }));
  }
  const told = readAddress();
  const first = Number(told.get("scene"));
  show(first in sources ? first : 0, told);
  window.addEventListener("hashchange", () => {
    const now = readAddress();
    const index = Number(now.get("scene"));
    if (index in sources) show(index, now);
  });
}
