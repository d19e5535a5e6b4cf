Console.WriteLine("Notify");
