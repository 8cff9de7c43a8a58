// Which scene is shown: a button for each photograph, and in it a rectangle for each region.
function photographsOf(sources) {
  const found = new Map();
  sources.forEach((source, index) => {
    const { input, place } = source.dataset;
    if (!found.has(input)) found.set(input, []);
    found.get(input).push({ index, ...source.dataset, place: place.split(" ").map(Number) });
  });
  return [...found.values()];
}

// The way to choose among scenes; `show` is called with the number of one. Gives back what marks
// the one that is shown.
function chooser(sources, wholes, show) {
  const photographs = photographsOf(sources);
  const several = photographs.some((regions) => regions.length > 1);
  const buttons = photographs.length > 1 ? photographs.map((regions) => {
    const [{ name, title, input, index }] = regions;
    const text = several ? `${title}, ${regions.length} region${regions.length > 1 ? "s" : ""}` : name;
    const made = element("button", { type: "button", value: index },
      element("img", { src: wholes[input].small, alt: "" }), element("span", {}, text));
    made.addEventListener("click", () => show(index));
    return made;
  }) : [];
  if (buttons.length > 8) byId("scenes").className = "many";
  byId("scenes").replaceChildren(...buttons);
  byId("region-list").addEventListener("change", () => show(Number(byId("region-list").value)));

  let drawn = null;
  return (index) => {
    const place = photographs.findIndex((regions) => regions.some((one) => one.index === index));
    buttons.forEach((made, i) => made.setAttribute("aria-pressed", String(i === place)));
    const regions = photographs[place];
    byId("regions").hidden = regions.length < 2;
    if (regions.length < 2) return;
    if (drawn !== regions) drawRegions(regions, wholes, show);
    drawn = regions;
    byId("region-list").value = index;
    for (const made of byId("rectangles").querySelectorAll("button")) {
      made.setAttribute("aria-pressed", String(made.dataset.scenes.split(" ").includes(String(index))));
    }
  };
}

// A photograph with its regions. Scenes of one region share a rectangle, and take turns in it; small
// regions lie over large ones. The list beside them is for keys, fingers and readers.
function drawRegions(regions, wholes, show) {
  byId("regions-told").textContent = `${regions.length} regions of ${regions[0].title}`;
  byId("region-list").replaceChildren(...regions.map(({ index, name, title }) =>
    element("option", { value: index }, name.startsWith(`${title}, `) ? name.slice(title.length + 2) : name)));
  const places = new Map();
  for (const one of regions) {
    const key = one.place.join(" ");
    if (!places.has(key)) places.set(key, []);
    places.get(key).push(one);
  }
  const area = ([{ place }]) => place[2] * place[3];
  const made = [...places.values()].sort((a, b) => area(b) - area(a)).map((scenes) => {
    const numbers = scenes.map(({ index }) => index);
    const [top, left, height, width] = scenes[0].place;
    const rectangle = element("button", {
      type: "button", tabindex: -1, title: scenes.map(({ name }) => name).join("\n"),
      "aria-label": scenes[0].name, "data-scenes": numbers.join(" "),
    });
    const sides = { top, left, height, width };
    for (const side of Object.keys(sides)) rectangle.style[side] = `${sides[side]}%`;
    rectangle.addEventListener("click", () =>
      show(numbers[(numbers.indexOf(Number(byId("region-list").value)) + 1) % numbers.length]));
    return rectangle;
  });
  byId("rectangles").replaceChildren(
    element("img", { src: wholes[regions[0].input].picture, alt: regions[0].title }), ...made);
  byId("rectangles").className = made.length > 60 ? "many" : "";
}
