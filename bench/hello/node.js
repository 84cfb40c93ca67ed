setTimeout(() => console.log('hello'), 0)
