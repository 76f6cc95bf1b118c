// Loads the page again when its server has a new answer.
'use strict';
const events = new EventSource('events' + location.search);
events.addEventListener('change', () => {
  events.close();
  location.reload();
});
