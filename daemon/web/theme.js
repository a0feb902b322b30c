/* Before the first paint: the theme that was chosen, if one was. A script of its own, and no module, so that nothing flickers. */
try {
  const theme = localStorage.getItem('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch (e) {
  /* storage is blocked: the system's theme it is */
}
