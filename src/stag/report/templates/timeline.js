"use strict";
document.querySelectorAll("[data-zoom]").forEach((slider) => {
  const box = document.getElementById("timeline-" + slider.dataset.zoom);
  const drawing = box.querySelector("svg");
  const zoom = (factor, share) => {
    const at = (box.scrollLeft + share * box.clientWidth) / box.scrollWidth;
    drawing.style.width = 100 * factor + "%";
    box.scrollLeft = at * box.scrollWidth - share * box.clientWidth;
  };
  slider.addEventListener("input", () => zoom(Number(slider.value), 0.5));
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    slider.value = Number(slider.value) * (event.deltaY < 0 ? 1.25 : 0.8);
    zoom(Number(slider.value), (event.clientX - box.getBoundingClientRect().left) / box.clientWidth);
  }, { passive: false });
});
