"use strict";
// The map: what lies under the pointer, and groups that can be switched off. The page is whole without it.
(() => {
  const map = document.querySelector("svg.map"), store = document.getElementById("map-data");
  if (!map || !store) return;
  const data = JSON.parse(store.textContent), dots = [...map.querySelectorAll("circle")];
  const place = dots.map(d => [+d.getAttribute("cx"), +d.getAttribute("cy")]);
  const tip = document.createElement("div"), picture = document.createElement("div");
  const name = document.createElement("span"), row = document.createElement("small");
  tip.className = "tip"; tip.hidden = true; picture.className = "thumb";
  const sheet = document.getElementById("sheet");
  if (sheet) {
    const scale = 96 / Math.max(data.tile[0], data.tile[1]);
    picture.style.width = data.tile[0] * scale + "px";
    picture.style.height = data.tile[1] * scale + "px";
    picture.style.backgroundImage = `url(${sheet.src})`;
    picture.style.backgroundSize = `${data.grid[0] * data.tile[0] * scale}px ${data.grid[1] * data.tile[1] * scale}px`;
    if (scale > 2) picture.classList.add("pixels");
    picture.step = [data.tile[0] * scale, data.tile[1] * scale];
    tip.append(picture);
  }
  tip.append(name, row);
  document.body.append(tip);
  let here = null;
  const leave = () => { tip.hidden = true; if (here) here.classList.remove("here"); here = null; };
  const look = event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    let best = -1, least = 18 * 18;
    place.forEach(([x, y], k) => {
      const far = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (far < least && !dots[k].parentNode.classList.contains("off")) { least = far; best = k; }
    });
    if (best < 0) return leave();
    if (here) here.classList.remove("here");
    here = dots[best];
    here.classList.add("here");
    const i = +here.dataset.i, label = data.label ? data.label[i] : -1;
    if (sheet) {
      const [w, h] = picture.step, columns = data.grid[0];
      picture.style.backgroundPosition = `${-(i % columns) * w}px ${-Math.floor(i / columns) * h}px`;
    }
    name.textContent = data.label ? (label < 0 ? "no label" : data.names[label] ?? `label ${label}`) : "";
    row.textContent = `sample ${data.index[i].toLocaleString("en")}`;
    tip.hidden = false;
    const width = tip.offsetWidth, height = tip.offsetHeight, room = document.documentElement.clientWidth;
    tip.style.left = Math.max(4, Math.min(event.pageX + 16, room - width - 8)) + "px";
    tip.style.top = (event.clientY + height + 24 > innerHeight ? event.pageY - height - 14 : event.pageY + 16) + "px";
  };
  map.addEventListener("pointermove", look);
  map.addEventListener("pointerdown", look);
  map.addEventListener("pointerleave", leave);
  const buttons = [...document.querySelectorAll(".legend button")];
  const show = (button, on) => {
    button.setAttribute("aria-pressed", on);
    map.querySelectorAll(`[data-group="${button.dataset.group}"]`).forEach(g => g.classList.toggle("off", !on));
  };
  buttons.forEach(button => {
    button.addEventListener("click", () => show(button, button.getAttribute("aria-pressed") !== "true"));
    button.addEventListener("dblclick", () => {  // this group alone; again: all
      const alone = buttons.every(b => b === button || b.getAttribute("aria-pressed") !== "true");
      buttons.forEach(b => show(b, alone || b === button));
    });
  });
})();
