Console.WriteLine("Notify.Benchmarks");
