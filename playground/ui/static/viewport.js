// The height that is really seen: a phone's keyboard covers part of the window, and the composer stays above it.

const seen = window.visualViewport;

function fit() {
  // while a person pinches, what is seen is a part of the page and the page stays as it is
  if (seen.scale > 1.01) return;
  document.documentElement.style.setProperty('--pg-height', `${Math.round(seen.height)}px`);
  if (scrollY) scrollTo(0, 0); // some browsers push the page up instead
}

seen?.addEventListener('resize', fit);
