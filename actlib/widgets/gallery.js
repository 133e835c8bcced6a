// What the clip browser and the confusion explorer share: a grid of a table's videos, and the chosen one in the player.

/** Calls `drawCard(row, thumbnail)`; `load()` resolves with the table, `choose(row)` shows a video. */
function createGallery(view, { drawCard, ...options }) {
  const thumbnails = view.own(createThumbnails(view));
  const stage = view.own(createStage());
  let table = null,
    current = -1;
  const choose = async (row, play = false) => {
    current = row;
    stage.el.hidden = false;
    view.setTraits({ selected: table.name[row] });
    grid.show(row);
    const { content, buffers } = await view.ask("clip", { row }, () => row === current && stage.wait());
    if (row !== current) return;
    stage.show(content.clip || { file: table.name[row], problem: content.problem }, buffers[0]);
    if (play) stage.engine.play();
  };
  const grid = view.own(
    createGrid({
      ...options,
      drawCard: (row) => drawCard(row, thumbnails.draw(row)),
      onPick: (row) => choose(row, true),
    }),
  );
  const find = () => (table ? table.name.indexOf(view.get("selected")) : -1);
  view.onTrait("selected", () => find() >= 0 && find() !== current && choose(find()));
  return {
    grid,
    stage,
    choose,
    find,
    async load() {
      const { content } = await view.ask("table");
      return (table = content.table);
    },
  };
}
