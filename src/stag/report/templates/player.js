"use strict";
for (const player of document.querySelectorAll(".player")) {
  const data = JSON.parse(player.querySelector('script[type="application/json"]').textContent);
  const find = (selector) => player.querySelector(selector);
  const picture = find("img"), slider = find(".step"), clock = find(".clock"), play = find(".play");
  const lights = [...player.querySelectorAll(".light")], arrows = [...player.querySelectorAll(".arrow")];
  const bars = [...player.querySelectorAll(".tick")], list = find(".now tbody");
  const frames = data.frames.map((code) => { const image = new Image(); image.src = "data:image/jpeg;base64," + code; return image; });
  const count = data.time_s.length, total = data.time_s[count - 1] - data.time_s[0] || 1;
  const ways = ["to the right", "down and right", "down", "down and left", "to the left", "up and left", "up", "up and right"];
  const share = (x) => x.toFixed(2).replace(/^0\./, ".");
  let step = data.step, layer = data.layer, timer = 0;

  function amount(i, value) {
    if (layer === "attribution") return (value < 0 ? "−" : "+") + share(Math.abs(value));
    const u = data.u[step][i], v = data.v[step][i];
    return share(Math.hypot(u, v)) + " px " + ways[(Math.round(Math.atan2(v, u) / (Math.PI / 4)) + 8) % 8];
  }
  function kind(value) { return layer === "motion" ? "moves" : value < 0 ? "against" : "for"; }
  function draw() {
    const values = layer === "none" ? data.names.map(() => 0) : data.layers[layer][step];
    const shown = frames[Math.min(step, frames.length - 1)];
    if (picture.src !== shown.src) picture.src = shown.src;
    lights.forEach((light, i) => {
      const size = Math.min(Math.abs(values[i]), 1);
      light.style.opacity = size < 0.04 ? 0 : size;
      light.setAttribute("class", "light " + kind(values[i]));
    });
    arrows.forEach((arrow, i) => {
      const u = data.u[step][i] * data.arrowScale, v = data.v[step][i] * data.arrowScale;
      arrow.setAttribute("x2", +arrow.getAttribute("x1") + u);
      arrow.setAttribute("y2", +arrow.getAttribute("y1") + v);
      arrow.style.opacity = layer === "motion" && Math.hypot(u, v) > 3 ? 1 : 0;
    });
    bars.forEach((bar, i) => bar.classList.toggle("on", i === step));
    const at = data.time_s[step].toFixed(2) + " s";
    slider.value = step;
    slider.setAttribute("aria-valuetext", "step " + (step + 1) + " of " + count + ", " + at);
    clock.textContent = at;
    const order = values.map((_, i) => i).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, list.rows.length);
    order.forEach((i, row) => {
      const [name, bar, number] = list.rows[row].cells, light = bar.querySelector(".bar > span");
      name.textContent = layer === "none" ? "–" : data.names[i];
      light.className = kind(values[i]);
      light.style.width = Math.min(100, 100 * Math.abs(values[i])) + "%";
      number.textContent = layer === "none" ? "" : amount(i, values[i]);
    });
    find(".now caption").textContent = { attribution: "What speaks for or against the answer at " + at, motion: "What moves most at " + at, none: "The picture at " + at }[layer];
  }
  function go(to) { step = (to + count) % count; draw(); }
  function stop() { clearTimeout(timer); timer = 0; play.textContent = "Play"; }
  function run() {
    const pause = step === count - 1 ? 900 : Math.max(60, 2600 * (data.time_s[step + 1] - data.time_s[step]) / total);
    timer = setTimeout(() => { go(step + 1); run(); }, pause);
    play.textContent = "Pause";
  }
  function toggle() { if (timer) stop(); else { if (step === count - 1) go(0); run(); } }
  play.addEventListener("click", toggle);
  slider.addEventListener("input", () => { stop(); go(+slider.value); });
  bars.forEach((bar, i) => bar.addEventListener("click", () => { stop(); go(i); }));
  player.querySelectorAll('input[type="radio"]').forEach((choice) => choice.addEventListener("change", () => { layer = choice.value; draw(); }));
  player.addEventListener("keydown", (event) => {
    if (event.target.matches("button, input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { " ": toggle, ArrowRight: () => { stop(); go(step + 1); }, ArrowLeft: () => { stop(); go(step - 1); }, Home: () => { stop(); go(0); }, End: () => { stop(); go(count - 1); } };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  player.classList.add("live");
  draw();
}
