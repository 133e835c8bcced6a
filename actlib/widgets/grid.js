// A grid of cards of which only those on screen exist, so that ten thousand scroll as smoothly as ten.

/** Calls: `heightOf(width)` of a card, `drawCard(item)` gives an element, `onPick(item)` on click or Enter. */
function createGrid({ label, cardWidth, heightOf, drawCard, onPick }) {
  const sheet = div("sheet");
  const el = make("div", { class: "actlib-grid", role: "listbox", tabindex: "0", "aria-label": label }, sheet);
  const cards = new Map();
  const prefix = `actlib-card-${Math.random().toString(36).slice(2)}-`;
  let items = [],
    columns = 1,
    cardHeight = 1,
    active = 0,
    chosen = null;

  const place = () => {
    if (!el.clientWidth) return; // hidden for a moment, or not yet shown: the observer calls again
    columns = Math.max(1, Math.floor(el.clientWidth / cardWidth));
    cardHeight = heightOf(el.clientWidth / columns);
    sheet.style.height = `${Math.ceil(items.length / columns) * cardHeight}px`;
    draw(true);
  };
  const draw = (afresh) => {
    const first = Math.max(0, Math.floor(el.scrollTop / cardHeight) - 1) * columns;
    const last = Math.min(items.length, (Math.ceil((el.scrollTop + el.clientHeight) / cardHeight) + 1) * columns);
    for (const [index, card] of cards) {
      if (afresh || index < first || index >= last) {
        card.remove();
        cards.delete(index);
      }
    }
    for (let index = first; index < last; index++) if (!cards.has(index)) cards.set(index, addCard(index));
    mark();
  };
  const addCard = (index) => {
    const card = drawCard(items[index]);
    const [left, top] = [(100 * (index % columns)) / columns, Math.floor(index / columns) * cardHeight];
    card.id = prefix + index;
    card.setAttribute("role", "option");
    card.setAttribute("style", `left:${left}%;top:${top}px;width:${100 / columns}%;height:${cardHeight}px`);
    card.addEventListener("click", () => pick(index));
    sheet.append(card);
    return card;
  };
  const mark = () => {
    for (const [index, card] of cards) {
      card.setAttribute("aria-selected", String(items[index] === chosen));
      card.classList.toggle("active", index === active);
    }
    if (cards.has(active)) el.setAttribute("aria-activedescendant", prefix + active);
    else el.removeAttribute("aria-activedescendant");
  };
  const pick = (index) => {
    active = index;
    chosen = items[index];
    mark();
    onPick(chosen);
  };
  const go = (index) => {
    active = clamp(index, 0, items.length - 1);
    const top = Math.floor(active / columns) * cardHeight;
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + cardHeight > el.scrollTop + el.clientHeight) el.scrollTop = top + cardHeight - el.clientHeight;
    draw(false);
  };
  const perPage = () => columns * Math.max(1, Math.floor(el.clientHeight / cardHeight));
  const actions = {
    ArrowLeft: () => go(active - 1),
    ArrowRight: () => go(active + 1),
    ArrowUp: () => go(active - columns),
    ArrowDown: () => go(active + columns),
    PageUp: () => go(active - perPage()),
    PageDown: () => go(active + perPage()),
    Home: () => go(0),
    End: () => go(items.length),
    Enter: () => pick(active),
    " ": () => pick(active),
  };
  onKeys(el, actions, () => !items.length);
  el.addEventListener("scroll", () => draw(false), { passive: true });
  const observer = new ResizeObserver(() => requestAnimationFrame(place));
  observer.observe(el);

  return {
    el,
    setItems(newItems) {
      items = newItems;
      active = Math.max(0, items.indexOf(chosen));
      el.scrollTop = 0;
      place();
    },
    /** Marks an item as the chosen one and brings it into view, without a pick. */
    show(item) {
      chosen = item;
      const index = items.indexOf(item);
      if (index >= 0) go(index);
      else mark();
    },
    close: () => observer.disconnect(),
  };
}
