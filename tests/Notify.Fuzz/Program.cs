using Notify.Fuzz;
using SharpFuzz;

if (args is not [var name, .. var files] || FuzzTarget.Find(name) is not { } target)
{
    Console.Error.WriteLine($"Give a target, one of {string.Join(", ", FuzzTarget.All.Select(known => known.Name))}: afl-fuzz then sends the inputs. Files after it are run once each.");
    return 2;
}

foreach (var file in files)
{
    Console.WriteLine(file);
    target.Run(File.ReadAllBytes(file));
}

if (files.Length == 0)
{
    Fuzzer.Run(stream =>
    {
        using var input = new MemoryStream();
        stream.CopyTo(input);
        target.Run(input.ToArray());
    });
}

return 0;
