// Thumbnails made lazily: a few questions at a time, newest first, and none for what has left the screen.

const THUMBNAILS_AT_ONCE = 3;

/** `fill(element, row)` puts a row's contact sheet into an element; its frames go by as the pointer moves over it. */
function createThumbnails(line, most = 300) {
  const shelf = makeBlobShelf(most);
  const sheets = new Map();
  let wanted = [],
    asking = 0;

  const paint = (element, row) => {
    element.style.backgroundImage = `url("${shelf.get(row)}")`;
    element.style.backgroundSize = `${100 * sheets.get(row)}% 100%`;
    element.classList.add("ready");
  };
  const work = async () => {
    while (asking < THUMBNAILS_AT_ONCE && wanted.length) {
      const [element, row] = wanted.pop();
      if (!element.isConnected) continue;
      asking++;
      line.ask("thumbnail", { row }).then(({ content, buffers }) => {
        asking--;
        if (buffers.length) {
          sheets.set(row, content.frames);
          shelf.put(row, buffers[0], "image/jpeg");
          paint(element, row);
        } else {
          element.classList.add("broken");
          element.title = content.problem || "";
        }
        work();
      });
    }
  };
  return {
    fill(element, row) {
      element.classList.add("actlib-thumbnail");
      element.addEventListener("pointermove", (event) => {
        const count = sheets.get(row);
        if (!count) return;
        const at = Math.min(count - 1, Math.floor((count * event.offsetX) / element.clientWidth));
        element.style.backgroundPositionX = `${(100 * at) / Math.max(1, count - 1)}%`;
      });
      if (shelf.get(row)) return paint(element, row);
      wanted.push([element, row]);
      queueMicrotask(work);
    },
    close() {
      wanted = [];
      shelf.close();
    },
  };
}
